"""Programs that the host lacks, out of the distribution's packages, in the user's home."""
