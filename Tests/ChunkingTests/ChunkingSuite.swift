// Tests of Chunking.
