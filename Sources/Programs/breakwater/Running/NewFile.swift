import Glibc
import Platform

/// A file for its owner alone, which gets its name once it is whole and durable, and takes nobody's place.
enum NewFile {
    /// - Throws: `.refused` when something stands at `path`; what `body` throws. Nothing is left then.
    static func write<Result>(
        _ path: AbsolutePath, surroundings: Surroundings, _ body: (borrowing Descriptor) throws -> Result
    ) throws -> Result {
        guard let name = path.components.last else { throw Failure(.usage, "\(path) cannot be a file") }
        let directory = try Directory(at: AbsolutePath(components: path.components.dropLast()).bytes)
        guard try directory.status(of: name) == nil else { throw taken(path) }
        let temporary = Array((".breakwater-" + Hex.encode(surroundings.random(8))).utf8)
        let file = try directory.file(temporary, O_WRONLY | O_CREAT | O_EXCL)
        do {
            let result = try body(file)
            try file.sync()
            try file.close()
            if try !directory.move(temporary, to: directory, as: name) { throw taken(path) }
            try directory.synchronize()
            return result
        } catch {
            _ = try? directory.remove(temporary)
            throw error
        }
    }

    private static func taken(_ path: AbsolutePath) -> Failure {
        Failure(.refused, "\(path) exists already", advice: "Nothing was changed. Name a file that does not exist.")
    }
}
