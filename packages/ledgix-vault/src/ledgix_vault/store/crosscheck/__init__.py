"""Rows against the ledger: what the Vault decides by must be what the ledger says was decided, set and registered.

The ledger proves itself (`store.audit`). Everything else in the database is believed only as far as an entry says the
same; each flaw is one sentence that names the row and, where there is one, the entry. What no entry speaks of, and so
nothing here checks: passwords, names, sessions and begun sign-ins of people, remembered idempotency keys, due jobs, and
the traces of decisions.
"""
