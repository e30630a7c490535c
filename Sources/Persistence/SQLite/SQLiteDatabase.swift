// SQLite behind the `Database` protocol: one writer, several readers.

import Glibc
import Logging
import Synchronization

/// A SQLite connection as an actor on a thread of its own; opened when it is first used.
private actor SQLiteConnection {
    private let executor: ThreadExecutor
    private let path: String
    private let role: SQLiteSession.Role
    private var session: SQLiteSession?
    private var isClosed = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(path: String, role: SQLiteSession.Role) throws(DatabaseError) {
        executor = try ThreadExecutor()
        self.path = path
        self.role = role
    }

    deinit { executor.stop() }

    func open() throws(DatabaseError) { _ = try opened() }

    func read<T: Sendable>(_ body: @Sendable (any SQLConnection) throws -> T) throws -> T { try opened().read(body) }

    func write<T: Sendable>(_ body: @Sendable (any SQLConnection) throws -> T) throws -> T { try opened().write(body) }

    func close() {
        isClosed = true
        session?.close()
        session = nil
    }

    private func opened() throws(DatabaseError) -> SQLiteSession {
        if let session { return session }
        if isClosed { throw DatabaseError(.unavailable, "the database is closed") }
        let session = try SQLiteSession(path: path, role: role)
        self.session = session
        return session
    }
}

/// One file, in WAL mode. Writes stand in line for the writer; reads go to the reader with the shortest line, the first one
/// where several are alike, so that readers which are not needed are never opened.
package final class SQLiteDatabase: Database {
    private struct Reader {
        var connection: SQLiteConnection?
        var waiting = 0
    }

    package let dialect = SQLDialect.sqlite
    private let path: String
    private let writer: SQLiteConnection
    private let readers: Mutex<[Reader]>

    /// Opens the file and its writer; makes the file, readable for its owner only, when it is not there.
    package init(path: String, readers count: Int = 4) async throws(DatabaseError) {
        guard !path.isEmpty, !path.hasPrefix(":"), !path.hasPrefix("file:") else {
            throw DatabaseError(.refused, "the SQLite database must be a file, not '\(path)'")
        }
        let descriptor = Glibc.open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        if descriptor >= 0 { Glibc.close(descriptor) }
        self.path = path
        writer = try SQLiteConnection(path: path, role: .writer)
        readers = Mutex([Reader](repeating: Reader(), count: max(1, count)))
        try await writer.open()
    }

    package func read<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T {
        let time = DatabaseTime.current
        let start = time.map { _ in ContinuousClock.now }
        defer { if let time, let start { time.add(since: start) } }
        let (index, reader) = try enter()
        defer { leave(index) }
        return try await reader.read(body)
    }

    @discardableResult
    package func write<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T {
        let time = DatabaseTime.current
        let start = time.map { _ in ContinuousClock.now }
        defer { if let time, let start { time.add(since: start) } }
        return try await writer.write(body)
    }

    /// The writer last: it folds the log into the file.
    package func close() async {
        let open = readers.withLock { readers in
            let connections = readers.compactMap(\.connection)
            readers = []
            return connections
        }
        for reader in open { await reader.close() }
        await writer.close()
    }

    /// Gets into the shortest line.
    private func enter() throws -> (Int, SQLiteConnection) {
        try readers.withLock { readers in
            guard var best = readers.indices.first else { throw DatabaseError(.unavailable, "the database is closed") }
            for index in readers.indices where readers[index].waiting < readers[best].waiting { best = index }
            let connection = try readers[best].connection ?? SQLiteConnection(path: path, role: .reader)
            readers[best].connection = connection
            readers[best].waiting += 1
            return (best, connection)
        }
    }

    private func leave(_ index: Int) {
        readers.withLock { readers in
            if readers.indices.contains(index) { readers[index].waiting -= 1 }
        }
    }
}
