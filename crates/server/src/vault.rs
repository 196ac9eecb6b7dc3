//! Keys, sealed content, blobs, deletion receipts.
