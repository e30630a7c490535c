// Which relations this server lets its users make. Client-Server API §Forming relationships between events, §Annotating events,
// §Threading; what the specification leaves open is as in Synapse.

import MatrixCore
import Persistence

/// The relation of a new event, and where it puts the event.
struct RelationPlacement: Sendable {
    let relation: EventRelation
    /// The root of the thread that the event belongs to.
    let thread: EventID?
    /// Whether what the event relates to relates to something itself.
    let isNested: Bool
}

/// What a new event relates to.
enum RelationParent: Sendable {
    case event(Found)
    /// The server does not have it.
    case unknown
    /// The server does not have it either, but other events that relate to it.
    case known

    struct Found: Sendable {
        let roomNID: RoomNID
        /// Whether the event itself relates to another one.
        let hasRelation: Bool
        let thread: EventID?
    }

    static func load(_ id: EventID, in room: RoomNID, on connection: any SQLConnection) throws -> RelationParent {
        if let row = try EventStore.row(id, on: connection), row.position != nil {
            return .event(Found(roomNID: row.roomNID, hasRelation: row.relation != nil, thread: row.relation?.thread))
        }
        return try RelationStore.hasChildren(id, in: room, on: connection) ? .known : .unknown
    }
}

/// One way in which one user may annotate an event, once.
struct AnnotationKey: Sendable, Hashable {
    let room: RoomNID
    let parent: EventID
    let sender: UserID
    /// `EventRelation.annotationNumber`.
    let number: Int64
}

extension RoomBatch {
    /// The longest key of an annotation, in characters.
    private static let annotationKeyLimit = 500

    /// Checks the relation of a new event.
    ///
    /// - Throws: `M_DUPLICATE_ANNOTATION` for what the user has said before; `M_UNKNOWN` for a relation to an event that the user
    ///   cannot know or of another room, and for a thread on an event that relates to another one. `MissingMaterial`.
    func placement(of event: Event, _ relation: EventRelation) throws -> RelationPlacement {
        let parent = try parent(relation.target)
        var (thread, isNested): (EventID?, Bool) = (nil, false)
        switch parent {
        case .event(let found):
            guard found.roomNID == head.snapshot.nid else { throw MatrixError.unknown("Relations must be in the same room") }
            (thread, isNested) = (found.thread, found.hasRelation)
        case .known: break
        case .unknown: throw MatrixError.unknown("Can't send relation to unknown event")
        }
        switch relation.type {
        case EventRelation.thread:
            if isNested {
                throw MatrixError.unknown("Cannot start threads from an event with a relation")
            }
            thread = relation.target
        case EventRelation.annotation:
            try checkAnnotation(relation, of: event)
        default: break
        }
        return RelationPlacement(relation: relation, thread: thread, isNested: isNested)
    }

    private func checkAnnotation(_ relation: EventRelation, of event: Event) throws {
        guard let key = relation.key else { throw MatrixError.unknown("Missing aggregation key") }
        guard key.string.unicodeScalars.count <= RoomBatch.annotationKeyLimit else {
            throw MatrixError.unknown("Aggregation key is too long")
        }
        let annotation = annotationKey(relation, of: event.type, by: event.sender)
        guard let isThere = material.annotations[annotation] else { throw MissingMaterial(annotations: [annotation]) }
        if isThere { throw MatrixError.duplicateAnnotation }
    }

    /// The event `id`, which may be one of this batch.
    func parent(_ id: EventID) throws -> RelationParent {
        if let event = built[id]?.event {
            let thread = records.last { $0.row.event.id == id }?.relation?.thread
            return .event(RelationParent.Found(roomNID: head.snapshot.nid, hasRelation: event.relation != nil, thread: thread))
        }
        if let parent = material.parents[id] { return parent }
        if let redacted = material.redacted[id], let target = redacted, target.isRedacted {
            return .event(RelationParent.Found(roomNID: target.roomNID, hasRelation: false, thread: nil))
        }
        throw MissingMaterial(parents: [RelationTarget(room: head.snapshot.nid, id: id)])
    }

    private func annotationKey(_ relation: EventRelation, of type: ByteString, by sender: UserID) -> AnnotationKey {
        AnnotationKey(
            room: head.snapshot.nid, parent: relation.target, sender: sender, number: relation.annotationNumber(of: type))
    }

    /// Remembers what this batch does to an annotation: it is in the database only afterwards.
    mutating func noteAnnotation(_ relation: EventRelation, of type: ByteString, by sender: UserID, isThere: Bool) {
        guard relation.type == EventRelation.annotation else { return }
        material.annotations[annotationKey(relation, of: type, by: sender)] = isThere
    }

    /// Whether the event redacts one that the server does not have.
    func isRedactionOfUnknown(_ event: Event) -> Bool {
        guard event.type == "m.room.redaction", let id = event.redacts, built[id] == nil, let known = material.redacted[id] else {
            return false
        }
        return known == nil
    }
}

/// An event that is looked up because another one relates to it.
struct RelationTarget: Sendable, Hashable {
    let room: RoomNID
    let id: EventID
}
