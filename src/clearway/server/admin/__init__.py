"""The admin API: `/admin/…` and `/openapi.json`, from one table of routes (`routes.py`)."""
