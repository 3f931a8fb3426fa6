"""What differs between boxes and key points: quality, fusion, proposals, changes. Pure."""
