"""What the concepts and the pages stand on: data files, drawn data, argument checks, settings."""
