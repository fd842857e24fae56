"""From a document's version to the source that a policy names."""

from __future__ import annotations

from ledgix_vault.policy.parts import Source
from ledgix_vault.sources.document import DocumentVersion


def source_of(version: DocumentVersion, *, settled: bool = False) -> Source:
    """The version as a policy's source; unless a person marked it as settled, its text sends covered tools to review.

    The content hash is that of the original bytes, as anybody can compute it over the file.
    """
    return Source(
        document_id=version.document_id,
        version_id=version.document_version_id,
        name=version.name,
        content_hash=version.original_hash,
        settled=settled,
    )
