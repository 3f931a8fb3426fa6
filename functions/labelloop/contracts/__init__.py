"""What every other room relies on: records, manifests, names, errors, settings, the keys of a batch's files. Pure."""
