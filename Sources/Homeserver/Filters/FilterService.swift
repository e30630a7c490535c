// The filters that clients have uploaded. Client-Server API §Filtering.

import MatrixCore
import Persistence
import Synchronization

/// Keeps filters. They never change, so what was read once stays in memory as long as it is used.
package final class FilterService: Sendable {
    private struct Key: Hashable {
        let user: UserID
        let id: Int64
    }

    private let database: any Database
    private let cache: Mutex<RecentCache<Key, Filter>>

    package init(database: any Database, capacity: Int = 2000) {
        self.database = database
        cache = Mutex(RecentCache(capacity: capacity))
    }

    /// Stores a filter and gives its id; the same definition keeps its id.
    ///
    /// - Throws: `M_BAD_JSON` or `M_INVALID_PARAM` for what is no filter.
    package func add(_ definition: JSON, of user: UserID) async throws -> String {
        _ = try Filter(json: definition)
        let canonical = definition.canonicalBytes
        return String(try await database.write { try FilterStore.identify(canonical, of: user, on: $0) })
    }

    /// The definition that was stored, as JSON.
    ///
    /// - Throws: `M_NOT_FOUND`; `M_INVALID_PARAM` for what is no id.
    package func definition(_ id: String, of user: UserID) async throws -> [UInt8] {
        guard let number = Int64(id) else { throw MatrixError.invalidParam("Invalid filter_id") }
        guard let definition = try await database.read({ try FilterStore.definition(number, of: user, on: $0) }) else {
            throw MatrixError.notFound("No such filter")
        }
        return definition
    }

    /// The filter of an id, ready for use.
    ///
    /// - Throws: as `definition`.
    package func filter(_ id: String, of user: UserID) async throws -> Filter {
        guard let number = Int64(id) else { throw MatrixError.invalidParam("Invalid filter_id") }
        let key = Key(user: user, id: number)
        if let known = cache.withLock({ $0.value(for: key) }) { return known }
        let filter = try Filter(json: JSONDocument(parsing: try await definition(id, of: user)).root)
        cache.withLock { $0.insert(filter, for: key) }
        return filter
    }

    /// The filter that a request names: an id, or a definition in place (it begins with `{`).
    package func filter(parameter: String, of user: UserID) async throws -> Filter {
        guard parameter.utf8.first == UInt8(ascii: "{") else { return try await filter(parameter, of: user) }
        let document: JSONDocument
        do throws(JSONError) {
            document = try JSONDocument(parsing: Array(parameter.utf8))
        } catch {
            throw MatrixError(error)
        }
        return try Filter(json: document.root)
    }
}
