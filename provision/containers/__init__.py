"""Read and rewrite what archives, compressed streams, databases and documents hold, in bounded memory.

- `walk` goes through a file with everything nested in it, and yields its parts as blobs (`blob`): names, comments, headers,
  cells, contents, each with its place. What was not read is yielded as `Unreadable`. One budget (`budget`) covers a file.
- `rewrite` goes through the same steps and writes the file again, with a mask applied to every part.
- `steps` is what both share: a format yields its parts one by one. `formats/` has one module per format; `formats/registry` lists
  them, and `container_format` recognises them by their first bytes.
- `embedded` finds compressed streams that a text holds in base64.
- `sqlite_reader` reads rows, `sqlite_pages` finds deleted ones and applies write-ahead logs, `sqlite_rewriter` changes them.
- `file_reader` reads one file on disk; `open_file` opens it without blocking and reads it in chunks; `chunk_stream` reads exact
  amounts from bytes that arrive in chunks.

To add a format: add its signature to `container_format`, write its module beside `formats/tar_format`, and add it to
`formats/registry`. A format that writes itself is named in `REWRITTEN`; any other is refused when it holds a secret.
"""
