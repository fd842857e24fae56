"""The pages, a file for each part of the dashboard; `PAGES` in `web/dashboard/app.py` lists them."""
