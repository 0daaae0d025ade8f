import FuzzTargets
import Glibc

/// What libFuzzer calls with one input after another; BREAKWATER_TARGET says which target they are for.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    target.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

private let target = { () -> FuzzTarget in
    let name = getenv("BREAKWATER_TARGET").map { String(cString: $0) } ?? ""
    if let target = FuzzTarget.named(name) { return target }
    print("BREAKWATER_TARGET is one of: \(FuzzTarget.all.map(\.name).joined(separator: " "))")
    exit(2)
}()
