// The media store on the disk. What has its place there is whole and durable: files are written elsewhere and then moved.

import Crypto
import Glibc
import MatrixCore
import Persistence
import Synchronization

/// Why the disk did not do what it was asked.
package struct MediaFileError: Error, CustomStringConvertible {
    package let description: String

    /// - Parameter code: an errno.
    init(_ action: String, _ path: String, _ code: Int32) {
        description = "media: cannot \(action) \(path): \(String(cString: strerror(code)))"
    }
}

/// The files below `media_store_path`, read and written by threads of their own.
package struct MediaFiles: Sendable {
    /// Up to so many bytes, a file is read in one go.
    static let pieceLimit = 256 * 1024
    /// Where files grow: in the store, so that moving them is renaming them.
    private static let temporaryFolder = "tmp"

    let base: String
    private let threads: BlockingThreads

    package init(base: String) {
        self.base = base
        threads = BlockingThreads(label: "martlet.media", count: 4, limit: 10_000)
    }

    /// Makes the store, and throws away what did not become a file before a crash.
    package func prepare() throws {
        try Self.makeFolders(temporary, below: "")
        for name in Self.names(in: temporary) { unlink("\(temporary)/\(name)") }
    }

    private var temporary: String { "\(base)/\(Self.temporaryFolder)" }

    func absolute(_ path: String) -> String { "\(base)/\(path)" }

    /// A file of its own that goes unless it is moved.
    func temporaryPath() -> String { "\(temporary)/\(SessionToken.randomLetters(24))" }

    /// Runs what waits for the disk.
    ///
    /// - Throws: 503 where too many wait for it.
    func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        guard let result = await threads.run({ Result(catching: body) }) else {
            throw MatrixError.unknown("The server has too much to do", status: 503)
        }
        return try result.get()
    }

    // MARK: Reading

    /// The content of a file; nil where there is none.
    package func open(_ path: String) async throws -> StoredContent? {
        let path = absolute(path)
        return try await run {
            let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0 else {
                if errno == ENOENT || errno == ENOTDIR { return nil }
                throw MediaFileError("open", path, errno)
            }
            let file = try StoredFile(descriptor, path: path, files: self)
            guard file.length <= Self.pieceLimit else { return .file(file) }
            return .bytes(try file.read(at: 0, count: file.length))
        }
    }

    // MARK: Writing

    /// Moves a temporary file to its place. When this returns, it is there also after a crash.
    func move(_ file: TemporaryFile, to path: String) throws {
        let target = absolute(path)
        let folder = String(target[..<(target.lastIndex(of: "/") ?? target.startIndex)])
        guard fsync(file.descriptor) == 0 else { throw MediaFileError("write", file.path, errno) }
        try Self.makeFolders(folder, below: base)
        guard rename(file.path, target) == 0 else { throw MediaFileError("write", target, errno) }
        try Self.sync(folder)
    }

    /// Has it noted in the database that a file is at its place. A file that is not noted goes; where nobody knows whether it was, it stays.
    func keep<T>(_ path: String, asNotedBy note: () async throws -> T) async throws -> T {
        do {
            return try await note()
        } catch {
            if (error as? DatabaseError)?.kind != .unknownOutcome { try await remove(path) }
            throw error
        }
    }

    /// Removes a file or a folder of files. What is not there is no error.
    package func remove(_ path: String) async throws {
        let path = absolute(path)
        try await run {
            if unlink(path) == 0 || errno == ENOENT { return }
            guard errno == EISDIR || errno == EPERM else { throw MediaFileError("remove", path, errno) }
            for name in Self.names(in: path) { unlink("\(path)/\(name)") }
            guard rmdir(path) == 0 || errno == ENOENT else { throw MediaFileError("remove", path, errno) }
        }
    }

    /// Makes a folder with those that it is in; each new one is durable.
    private static func makeFolders(_ folder: String, below base: String) throws {
        if mkdir(folder, 0o755) == 0 { return try sync(parent(of: folder)) }
        switch errno {
        case EEXIST: return
        case ENOENT where folder != base && !folder.isEmpty:
            try makeFolders(parent(of: folder), below: base)
            guard mkdir(folder, 0o755) == 0 || errno == EEXIST else { throw MediaFileError("make the folder", folder, errno) }
            try sync(parent(of: folder))
        default: throw MediaFileError("make the folder", folder, errno)
        }
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func sync(_ folder: String) throws {
        let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw MediaFileError("open", folder, errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw MediaFileError("write", folder, errno) }
    }

    private static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}

/// What a file holds: small files as they are, large ones open.
package enum StoredContent: Sendable {
    case bytes([UInt8])
    case file(StoredFile)

    package var length: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .file(let file): file.length
        }
    }
}

/// A file that is read piece by piece, once. It is closed when nobody reads it any more.
package final class StoredFile: Sendable {
    package let length: Int
    private let descriptor: Int32
    private let path: String
    private let files: MediaFiles
    private let position = Mutex(0)

    fileprivate init(_ descriptor: Int32, path: String, files: MediaFiles) throws {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            close(descriptor)
            throw MediaFileError("read", path, errno)
        }
        self.descriptor = descriptor
        self.path = path
        self.files = files
        length = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// The next piece; nil at the end.
    package func next() async throws -> [UInt8]? {
        let start = position.withLock { $0 }
        let count = min(MediaFiles.pieceLimit, length - start)
        guard count > 0 else { return nil }
        let piece = try await files.run { try self.read(at: start, count: count) }
        position.withLock { $0 = start + piece.count }
        return piece
    }

    fileprivate func read(at start: Int, count: Int) throws -> [UInt8] {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let read = pread(descriptor, buffer.baseAddress.map { $0 + filled }, count - filled, off_t(start + filled))
                if read < 0, errno == EINTR { continue }
                if read < 0 { code = errno }
                guard read > 0 else { return }
                filled += read
            }
        }
        guard bytes.count == count else { throw MediaFileError("read", path, code == 0 ? EIO : code) }
        return bytes
    }
}

/// A file that is not at its place yet. It goes when nobody writes it any more, unless it has been moved.
final class TemporaryFile: Sendable {
    let path: String
    let descriptor: Int32

    /// - Parameter isNew: false for one that another process has written.
    init(_ path: String, isNew: Bool = true) throws {
        self.path = path
        descriptor = Glibc.open(path, (isNew ? O_WRONLY | O_CREAT | O_EXCL : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw MediaFileError("make", path, errno) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        unlink(path)
    }

    var length: Int {
        get throws {
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { throw MediaFileError("read", path, errno) }
            return Int(status.st_size)
        }
    }

    func append(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw MediaFileError("write", path, errno) }
            rest = rest.dropFirst(written)
        }
    }
}

/// The content of a medium while it comes in: hashed and written as it comes, a piece at a time.
package struct IncomingFile: Sendable {
    private let files: MediaFiles
    private var file: TemporaryFile?
    private var gathered: [UInt8] = []
    private var hash = SHA256()
    package private(set) var length = 0

    package init(_ files: MediaFiles) { self.files = files }

    package mutating func append(_ bytes: [UInt8]) async throws {
        length += bytes.count
        gathered += bytes
        guard gathered.count >= MediaFiles.pieceLimit else { return }
        let piece = gathered
        gathered = []
        (file, hash) = try await files.run { [files, file, hash] in try Self.write(piece, to: file, hash, files) }
    }

    /// Moves it to its place.
    ///
    /// - Returns: the hash of the content, in hexadecimal.
    package mutating func finish(as path: String) async throws -> String {
        let piece = gathered
        gathered = []
        return try await files.run { [files, file, hash] in
            let (file, hash) = try Self.write(piece, to: file, hash, files)
            try files.move(file, to: path)
            return hash.finalize().hexadecimal
        }
    }

    private static func write(
        _ piece: [UInt8], to file: TemporaryFile?, _ hash: SHA256, _ files: MediaFiles
    ) throws -> (TemporaryFile, SHA256) {
        let file = try file ?? TemporaryFile(files.temporaryPath())
        var hash = hash
        piece.withUnsafeBytes { hash.update(bufferPointer: $0) }
        try file.append(piece)
        return (file, hash)
    }
}
