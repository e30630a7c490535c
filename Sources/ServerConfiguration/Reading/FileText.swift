// Whole small files, read with the error that tells why not.

import Glibc

package enum FileText {
    /// The largest file that is read: configuration files and secrets are small.
    private static let byteLimit = 16 * 1024 * 1024

    package static func read(_ path: String) throws(ConfigurationProblem) -> String {
        let bytes: [UInt8]
        switch contents(of: path) {
        case .success(let contents): bytes = contents
        case .failure(let error):
            throw ConfigurationProblem(at: SourceLocation(file: path, line: 0), "cannot be read: \(error.message)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationProblem(at: SourceLocation(file: path, line: 0), "is not UTF-8 text")
        }
        return text
    }

    /// What the system said to a failed call.
    package struct SystemError: Error, Sendable {
        package let code: Int32
        package var message: String { String(cString: strerror(code)) }
    }

    package static func contents(of path: String) -> Result<[UInt8], SystemError> {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .failure(SystemError(code: errno)) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count < byteLimit {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                return .failure(SystemError(code: errno))
            }
            if count == 0 { return .success(bytes) }
            bytes.append(contentsOf: chunk[..<count])
        }
        return .failure(SystemError(code: EFBIG))
    }

    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The names in a folder, sorted; nil where it cannot be read.
    package static func names(in directory: String) -> [String]? {
        guard let handle = opendir(directory) else { return nil }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            names.append(name)
        }
        return names.sorted()
    }
}
