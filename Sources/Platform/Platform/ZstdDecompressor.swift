internal import CZstd

/// Decompression by zstd (RFC 8878) with one context kept from call to call. One thread at a time.
@safe package final class ZstdDecompressor {
    private let context: OpaquePointer

    package init() {
        guard let context = unsafe ZSTD_createDCtx() else { preconditionFailure("memory is exhausted") }
        unsafe self.context = context
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    /// The number of bytes that came out: never more than `destination` holds. Throws `.damaged` when `source` is not
    /// one or more whole zstd frames, or holds more than fits.
    package func decompress(
        _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Int {
        guard unsafe !source.isEmpty else { throw Failure(.damaged, "compressed bytes are missing") }
        let result = unsafe ZSTD_decompressDCtx(
            context, destination.baseAddress, destination.count, source.baseAddress, source.count)
        guard ZSTD_isError(result) == 0 else {
            let reason = unsafe String(cString: ZSTD_getErrorName(result))
            throw Failure(.damaged, "\(source.count) compressed bytes do not decompress: \(reason)")
        }
        return result
    }

    /// Decompresses the first frame of `source`, whatever follows it, into the whole of `destination`.
    /// - Returns: how many bytes of `source` the frame has.
    /// - Throws: `.damaged` when there is no whole frame, or other than `destination` takes comes out of it.
    package func decompressFrame(
        _ source: UnsafeRawBufferPointer, filling destination: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Int {
        let length = unsafe ZSTD_findFrameCompressedSize(source.baseAddress, source.count)
        guard ZSTD_isError(length) == 0, length <= source.count else {
            throw Failure(.damaged, "\(source.count) compressed bytes hold no whole frame")
        }
        let frame = unsafe UnsafeRawBufferPointer(rebasing: source[..<length])
        guard try unsafe decompress(frame, into: destination) == destination.count else {
            throw Failure(.damaged, "\(length) compressed bytes decompress into less than \(destination.count)")
        }
        return length
    }
}
