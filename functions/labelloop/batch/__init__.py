"""What happens to one batch: its images, its merge, its report."""
