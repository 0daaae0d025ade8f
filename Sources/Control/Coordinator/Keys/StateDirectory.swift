import Glibc
package import Platform
package import Wire

/// Everything the coordinator keeps, under one directory that only its owner may enter.
///
/// | name | content |
/// |---|---|
/// | `lock` | held while a coordinator runs: there is never a second one |
/// | `catalog.sqlite` | the catalog and the journal |
/// | `master.key` | wraps the tenants' keys in the catalog |
/// | `authority.key`, `authority.pem` | the certificate authority |
/// | `operator.token` | what operators show, made at the first start |
package struct StateDirectory: ~Copyable {
    package let path: String
    private let lock: Descriptor

    /// Makes it where it is not there, and takes it.
    /// - Throws: `.refused` when another coordinator has it, or when others may enter it.
    package init(_ path: String) throws(Failure) {
        try PrivateFile.makeDirectory(path)
        let directory = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
        guard try directory.status().st_mode & 0o077 == 0 else {
            throw Failure(
                .refused, "Others than its owner may enter the state directory \(path)", advice: "chmod 700 \(path)")
        }
        try directory.close()
        let lock = try Descriptor.open(path + "/lock", O_RDWR | O_CREAT)
        guard flock(lock.number, LOCK_EX | LOCK_NB) == 0 else {
            throw Failure(.refused, "Another coordinator works with the state directory \(path)")
        }
        self.path = path
        self.lock = lock
    }

    package var catalogPath: String { path + "/catalog.sqlite" }

    package func authority(now: Timestamp) throws(Failure) -> CertificateAuthority {
        let key = try PrivateFile.read(path + "/authority.key")
        let certificate = try PrivateFile.read(path + "/authority.pem")
        if let key {
            guard let certificate else {
                // The key is written first: without a certificate it has signed nothing that anybody trusts.
                return try makeAuthority(now: now)
            }
            return try CertificateAuthority(
                certificate: String(decoding: certificate, as: UTF8.self), key: String(decoding: key, as: UTF8.self))
        }
        guard certificate == nil else {
            throw Failure(
                .damaged, "\(path)/authority.key is missing, and its certificate is there",
                advice: "Put the key back from a backup; a new authority would lock every agent out")
        }
        return try makeAuthority(now: now)
    }

    private func makeAuthority(now: Timestamp) throws(Failure) -> CertificateAuthority {
        let made = try CertificateAuthority.make(name: "Breakwater authority", at: now)
        try PrivateFile.write(Array(made.keyPEM.utf8), to: path + "/authority.key")
        try PrivateFile.write(Array(made.certificatePEM().utf8), to: path + "/authority.pem")
        return made
    }

    /// The bearer token of the operators.
    package func operatorToken(_ surroundings: Surroundings) throws(Failure) -> String {
        if let kept = try PrivateFile.read(path + "/operator.token") {
            let token = String(decoding: kept, as: UTF8.self).trimmingNewline
            guard token.utf8.count >= 32 else {
                throw Failure(
                    .damaged, "\(path)/operator.token is too short to be a token",
                    advice: "Remove it; the next start makes another")
            }
            return token
        }
        let token = "bwo-" + Hex.encode(surroundings.random(32))
        try PrivateFile.write(Array((token + "\n").utf8), to: path + "/operator.token")
        return token
    }

    /// - Parameter mayMake: whether a catalog is there whose keys only the old master key opens.
    package func masterKey(mayMake: Bool, _ surroundings: Surroundings) throws(Failure) -> [UInt8] {
        if let kept = try PrivateFile.read(path + "/master.key") {
            guard let key = Hex.decode(String(decoding: kept, as: UTF8.self).trimmingNewline), key.count == 32 else {
                throw Failure(.damaged, "\(path)/master.key is not a key", advice: "Put it back from a backup")
            }
            return key
        }
        guard mayMake else {
            throw Failure(
                .damaged, "\(path)/master.key is missing, and tenants' keys are wrapped with it",
                advice: "Put it back from a backup; without it only the repositories' own key slots open them")
        }
        let key = surroundings.random(32)
        try PrivateFile.write(Array((Hex.encode(key) + "\n").utf8), to: path + "/master.key")
        return key
    }
}

extension String {
    var trimmingNewline: String { hasSuffix("\n") ? String(dropLast()) : self }
}
