// Files that are made once and never overwritten.

import Glibc

package enum NewFile {
    package enum Failure: Error, Sendable, CustomStringConvertible {
        case exists(String)
        case system(String, code: Int32)

        package var description: String {
            switch self {
            case .exists(let path): "\(path) exists already and is not overwritten"
            case .system(let path, let code): "\(path) cannot be written: \(String(cString: strerror(code)))"
            }
        }
    }

    /// Makes the file with its whole content, on disk when this returns. The mode is set as the file is made: nobody can open it before.
    package static func write(_ text: String, to path: String, mode: mode_t) throws(Failure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw errno == EEXIST ? .exists(path) : .system(path, code: errno) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let code = errno
                unlink(path)
                throw .system(path, code: code)
            }
            written += count
        }
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw .system(path, code: errno) }
    }

    /// Makes a folder and those above it that are missing, for the owner only.
    package static func makeDirectory(_ path: String) throws(Failure) {
        guard !path.isEmpty, !FileText.isDirectory(path) else { return }
        let parent = ConfigurationReader.directory(of: path)
        if parent != path { try makeDirectory(parent) }
        guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw .system(path, code: errno) }
    }

    /// The path from the root on.
    package static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return clean(path) }
        guard let current = getcwd(nil, 0) else { return path }
        defer { free(current) }
        return clean(String(cString: current) + "/" + path)
    }

    private static func clean(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }
}
