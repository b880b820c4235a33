"""One step a file: read artifacts, call one thing of the domain, log, return artifacts."""
