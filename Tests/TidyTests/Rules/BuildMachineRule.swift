/// What is committed works in any folder of any machine: it names no folder of the one it was written on.
struct BuildMachineRule {
    /// Folders to look for; pieced together, so that this file passes.
    let folders: [String]

    init(root: String) {
        folders = [
            root + "/", "/" + "work/trees/", "/" + "work/main", "/" + "work/shared/", "/" + "root/", "/" + "Users/",
        ]
    }

    func findings(in file: SourceFile) -> [Finding] {
        zip(file.lines, 1...).compactMap { line, number in
            guard let folder = folders.first(where: { line.contains($0) }) else { return nil }
            return Finding(path: file.path, line: number, what: "names a folder of the build machine: \(folder)")
        }
    }
}
