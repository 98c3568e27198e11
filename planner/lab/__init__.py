"""The tiny laboratory: logs of real small transformers on word arithmetic, carried with the package."""
