"""Alembic's entry: runs on the connection that `ledgix_vault.store.migrate` hands over."""

from alembic import context

from ledgix_vault.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
