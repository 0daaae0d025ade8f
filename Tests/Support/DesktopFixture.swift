import Foundation
package import Platform
import Synchronization

/// The bootable desktop, built once by its recipe. It is looked for in the folder that `BREAKWATER_FIXTURES` names,
/// `.build/fixtures` of the package otherwise; where it is missing it is built there. A machine that cannot build it
/// fails the test that needs it.
package enum DesktopFixture {
    private static let found = Mutex<Result<String, Failure>?>(nil)

    /// The path of the raw image; nobody writes to it.
    package static func path() throws(Failure) -> String {
        let result: Result<String, Failure> = found.withLock { found in
            if let found { return found }
            let result: Result<String, Failure>
            do throws(Failure) { result = .success(try build()) } catch { result = .failure(error) }
            found = result
            return result
        }
        return try result.get()
    }

    private static func build() throws(Failure) -> String {
        let package = String(#filePath.components(separatedBy: "/Tests/Support/")[0])
        let folder = ProcessInfo.processInfo.environment["BREAKWATER_FIXTURES"] ?? package + "/.build/fixtures"
        let path = folder + "/desktop.raw"
        if FileManager.default.fileExists(atPath: path) { return path }
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw Failure(.failed, "cannot make \(folder)", cause: error)
        }
        do throws(Failure) {
            _ = try ChildProcess.run(
                "bash", [package + "/Fixtures/desktop/build.sh", path], scratch: folder, limit: .seconds(300))
        } catch {
            throw Failure(
                error.code, "the fixture desktop cannot be built: \(error.what)",
                advice: "Install the packages of Fixtures/desktop/packages.txt.")
        }
        return path
    }
}
