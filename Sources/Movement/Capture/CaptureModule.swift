// File trees and disk images into a repository.
