"""Read and mask what archives, compressed streams and databases hold, in bounded memory.

Reading turns something into blobs (`blob`): pieces of content with a position, and `Unreadable` for what was not read.

- `file_reader` reads one file on disk; `open_file` opens it without blocking and reads it in chunks.
- `container_format` recognises a format by its first bytes.
- `archive_reader` unpacks archives, nested ones too, within one budget (`ReadLimits`) per file. It contains the zip reader and
  uses `tar_reader`, `decompress` (gzip, bzip2, xz) and `sqlite_reader`.
- `chunk_stream` reads exact amounts from bytes that arrive in chunks.
- `sqlite_reader` reads rows; `sqlite_pages` finds deleted rows and applies write-ahead logs.

Masking rewrites the same formats without their secrets: `mask_content`, and `mask_sqlite` for databases.

To add an archive format: add its signature to `container_format`, write its reader beside `tar_reader`, call the reader in
`archive_reader.ArchiveReader`, and let `mask_content` rewrite it (without that, `audit --fix` masks it as plain bytes).
"""
