// Client-Server API §Receipts, §Fully read markers.

import Homeserver
import MatrixCore

enum ReceiptRoutes {
    static let table: [Route] = [
        .client(.post, "/rooms/{roomId}/receipt/{receiptType}/{eventId}", receipt),
        .client(.post, "/rooms/{roomId}/read_markers", readMarkers),
    ]

    private static let fullyRead = "m.fully_read"

    private static func receipt(_ context: APIContext) async throws -> APIResponse {
        let user = try context.requester.user
        let (room, event) = (try context.roomID("roomId"), try context.eventID("eventId"))
        let name = try ByteString(context.parameter("receiptType"))
        let body = try context.optionalBody()
        let thread = try thread(in: body)
        if name == ByteString(fullyRead) {
            guard thread == nil else { throw MatrixError.invalidParam("thread_id is not compatible with m.fully_read receipts") }
            try await context.homeserver.readMarkers.set(event, in: room, by: user)
            return .empty
        }
        guard let type = ReceiptType.allCases.first(where: { $0.name == name }) else {
            throw MatrixError.invalidParam("Receipt type must be m.read, m.read.private, m.fully_read")
        }
        try await context.homeserver.receipts.send(type, at: event, thread: thread, in: room, by: user)
        return .empty
    }

    /// - Throws: `M_INVALID_PARAM` for a thread that is no text, is empty, or cannot be stored.
    private static func thread(in body: JSON) throws(MatrixError) -> ByteString? {
        guard let value = body["thread_id"] else { return nil }
        guard let thread = value.byteString, !thread.isEmpty, thread.count <= 255, !thread.string.utf8.contains(0) else {
            throw .invalidParam("thread_id field must be a non-empty string")
        }
        return thread
    }

    /// Each member names the event for one kind of receipt; other members are passed over, as Synapse does.
    private static func readMarkers(_ context: APIContext) async throws -> APIResponse {
        let user = try context.requester.user
        let room = try context.roomID("roomId")
        let body = try context.body()
        let marker = try event(fullyRead, in: body)
        let receipts = try ReceiptType.allCases.map { type in (type: type, event: try event(type.rawValue, in: body)) }
        if let marker { try await context.homeserver.readMarkers.set(marker, in: room, by: user) }
        for (type, event) in receipts {
            if let event { try await context.homeserver.receipts.send(type, at: event, thread: nil, in: room, by: user) }
        }
        return .empty
    }

    private static func event(_ name: String, in body: JSON) throws(MatrixError) -> EventID? {
        guard let text = try body.optionalString(name), !text.isEmpty else { return nil }
        do { return try EventID(parsing: text) } catch { throw .invalidParam("\(name): \(text) is not an event ID") }
    }
}
