"""S3, the ledger, callbacks, dataset versions, notices: the room that calls AWS for all others."""
