package import Repository

/// A head as the repository's log has it. Model's is the same as it travels; this file tells the two apart, because
/// the module Repository has a type of its own name.
package typealias RepositoryHead = LogHead
