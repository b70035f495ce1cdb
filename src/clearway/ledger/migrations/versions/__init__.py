"""One file for each revision, numbered: Alembic loads them, ledger/migrate decides when."""
