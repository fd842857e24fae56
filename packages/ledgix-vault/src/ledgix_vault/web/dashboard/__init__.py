"""The dashboard: pages for people, at `/app`. They call the same operations as the API and translate, nothing else."""
