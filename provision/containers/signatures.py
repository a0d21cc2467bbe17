"""Signatures of file formats: of those with a reader, of those that are reported as not read, of media and programs."""

from __future__ import annotations

READ = (
    (b"PK\3\4", "zip"), (b"PK\5\6", "zip"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"),
    (b"SQLite format 3\0", "sqlite"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x89PNG\r\n\x1a\n", "png"), (b"%PDF-", "pdf"), (b"PACK\0\0\0\2", "git pack"), (b"PACK\0\0\0\3", "git pack"),
    (b"# v2 git bundle\n", "git bundle"), (b"# v3 git bundle\n", "git bundle"), (b"!<arch>\n", "ar"),
    (b"REGEDIT4", "registry export"), (b"Windows Registry Editor ", "registry export"),
    (b"\xff\xfeW\0i\0n\0d\0o\0w\0s\0 \0R\0e\0g\0i\0s\0t\0r\0y\0", "registry export"),
)  # fmt: skip
"""Formats with a reader: signature at the beginning, format."""
NOT_READ = (
    (b"Rar!\x1a\x07", "rar"), (b"\x04\x22\x4d\x18", "lz4"), (b"hsqs", "squashfs"), (b"sqsh", "squashfs"), (b"LZIP", "lzip"),
    (b"\x1f\x9d", "compress (.Z)"), (b"MSCF\0\0\0\0", "cabinet"), (b"070701", "cpio"), (b"070707", "cpio"),
    (b"\xed\xab\xee\xdb", "rpm"),
    (b"xar!", "xar"), (b"MSWIM\0\0\0", "wim"), (b"QFI\xfb", "qcow2 image"), (b"KDMV", "vmdk image"),
    (b"conectix", "vhd image"), (b"vhdxfile", "vhdx image"), (b"LUKS\xba\xbe", "luks"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE document"), (b"PAR1", "parquet"), (b"ORC", "orc"), (b"Obj\1", "avro"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"), (b"mozLz40\0", "mozlz4"), (b"\xff\6\0\0sNaPpY", "snappy"), (b"PK\7\10", "split zip"),
    (b"\x89LZO\0\r\n\x1a\n", "lzop"), (b"\x60\xea", "arj"), (b"ITSF\3", "chm"), (b"regf", "registry hive"),
    (b"LRZI", "lrzip"), (b"7kSt", "zpaq"), (b"zPQ", "zpaq"), (b"SIT!", "stuffit"), (b"StuffIt ", "stuffit"),
    (b"Cr24", "browser extension"), (b"\x1f\xa0", "compress (lzh)"), (b"\x1f\x1e", "pack (.z)"), (b"\x02\x21\x4c\x18", "lz4"),
    (b"bvx1", "lzfse"), (b"bvx2", "lzfse"), (b"bvxn", "lzfse"), (b"-rom1fs-", "romfs"),
    (b"\x45\x3d\xcd\x28", "cramfs"), (b"UBI#", "ubi image"),
    (b"\x31\x18\x10\x06", "ubifs"), (b"XFSB", "xfs image"), (b"EVF\t\r\n\xff\0", "forensic image"),
    (b"encrcdsa", "encrypted disk image"), (b"Salted__", "openssl encryption"), (b"\x03\xd9\xa2\x9a", "keepass database"),
    (b"ARROW1\0\0", "arrow"), (b"!BDN", "outlook mailbox"), (b"\0\1\0\0Standard ", "access database"), (b"\x0e\3\x13\1", "hdf4"),
)  # fmt: skip
"""Formats without a reader."""
NOT_READ_ELSEWHERE = (
    (2, b"-lh", "lha"), (3, b"NTFS    ", "ntfs image"), (3, b"EXFAT   ", "exfat image"), (8, b"DUCK", "duckdb"),
    (20, b"\xdc\xa7\xc4\xfd", "zoo"), (54, b"FAT1", "fat image"), (82, b"FAT32   ", "fat image"),
    (64, b"\x7f\x10\xda\xbe", "vdi image"), (512, b"EFI PART", "disk image"), (512, b"LABELONE", "lvm image"),
    (1024, b"H+\0\4", "hfs image"), (1024, b"HX\0\5", "hfs image"), (1080, b"\x53\xef", "ext image"),
    (32769, b"CD001", "iso image"), (65600, b"_BHRfS_M", "btrfs image"), )  # fmt: skip
"""Offset, signature, format; their beginning has a NUL. Where a signature is short, `container_format` looks at more."""
MEDIA = (
    b"\xff\xd8\xff", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"BM", b"8BPS", b"\0\0\1\0", b"icns", b"\x1aE\xdf\xa3", b"OggS",
    b"fLaC", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"\xff\xf9", b"FLV\1", b"wOFF", b"wOF2", b"\0\1\0\0",
    b"OTTO", b"true", b"ttcf", b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa", b"\0asm",
    b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"age-encryption.org/", b"0\x82", b"\x93NUMPY", b"\x80\4\x95",
    b"DIRC", b"\xfftOc", b"%!", b"\x99\1", b"\x99\2", b"\x99\3", b"\x98", b"BC\xc0\xde",
)  # fmt: skip
MEDIA_ELSEWHERE = ((4, b"ftyp"), (4, b"JXL "), (4, b"jP  "), (8, b"WEBP"))
"""Pictures, sound, film, fonts, programs: their texts are read as raw bytes; and files that are known to be encrypted."""
