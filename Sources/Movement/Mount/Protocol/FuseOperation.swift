/// What the kernel asks for (linux/fuse.h): what a file system that nobody writes to has to know of.
enum FuseOperation: UInt32 {
    case lookup = 1, forget = 2, attributes = 3, readLink = 5, open = 14, read = 15, statistics = 17, release = 18
    case extendedAttribute = 22, extendedAttributes = 23, flush = 25, initialize = 26, openDirectory = 27
    case readDirectory = 28, releaseDirectory = 29, access = 34, interrupt = 36, destroy = 38, batchForget = 42
    case readDirectoryPlus = 44, seek = 46
}
