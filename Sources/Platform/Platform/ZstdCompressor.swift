internal import CZstd

/// Compression by zstd (RFC 8878) with one context kept from call to call. One thread at a time.
@safe package final class ZstdCompressor {
    private let context: OpaquePointer

    package init(level: Int) {
        guard let context = unsafe ZSTD_createCCtx() else { preconditionFailure("memory is exhausted") }
        unsafe self.context = context
        // A frame's length and authenticity are recorded where it is sealed: no second record inside.
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 0)
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)
    }

    deinit { unsafe ZSTD_freeCCtx(context) }

    /// Room that suffices for `count` bytes, whatever they are.
    package static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

    /// The length of the result, which fits when `destination` has `bound(source.count)` bytes.
    package func compress(
        _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Int {
        guard let count = unsafe compressIfFits(source, into: destination) else {
            throw Failure(.failed, "\(source.count) bytes do not compress into \(destination.count)")
        }
        return count
    }

    /// Nil when the result does not fit: a destination smaller than the source asks whether compressing pays.
    package func compressIfFits(
        _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let result = unsafe ZSTD_compress2(
            context, destination.baseAddress, destination.count, source.baseAddress, source.count)
        return ZSTD_isError(result) == 0 ? result : nil
    }
}
