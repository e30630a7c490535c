// What of a room's events one user gets: those that may be seen, as the user may see them.
// Client-Server API §Room History Visibility, §Ignoring Users, §Deactivating accounts.

import MatrixCore
import Persistence

extension RoomHistory {
    /// Those of `events` that the viewer may see, in their order.
    ///
    /// State is shown even when an ignored user set it: the room would look different otherwise.
    func visible(_ events: [TimelineEvent], by sight: inout Sight, in view: RoomView) async throws -> [ViewedEvent?] {
        try await sight.extend(to: events, in: self.events)
        let erased = try await self.events.erasedUsers.all()
        return events.map { event in
            guard sight.shows(event), event.isState || !view.ignored.contains(event.sender) else { return nil }
            let viewed = ViewedEvent(event: event, membership: sight.membership(at: event))
            return viewed.hidingContent(of: erased, view.snapshot.version.redactionRules)
        }
    }

    /// Those of `events` of the view's room that the viewer may see, in their order, with what relates to them.
    package func viewed(_ events: [TimelineEvent], in view: RoomView) async throws -> [ViewedEvent] {
        var sight = Sight(view)
        let visible = try await visible(events, by: &sight, in: view).compactMap { $0 }
        return try await bundled(visible, in: view, by: sight)
    }

    /// What of these the viewer may see.
    package func restricted(
        _ bundles: [EventNID: BundledAggregations], in view: RoomView
    ) async throws -> [EventNID: BundledAggregations] {
        try await restricted(bundles, by: Sight(view))
    }

    private func restricted(
        _ bundles: [EventNID: BundledAggregations], by sight: Sight
    ) async throws -> [EventNID: BundledAggregations] {
        var sight = sight
        try await sight.extend(to: bundles.values.flatMap(\.events), in: events)
        let erased = try await events.erasedUsers.all()
        return bundles.compactMapValues { bundle in
            var bundle = bundle
            bundle.keep { sight.shows($0) && (!erased.contains($0.sender) || sight.membership(at: $0) == .join) }
            return bundle.isEmpty ? nil : bundle
        }
    }

    /// Adds to each event what relates to it, as far as the viewer may see that.
    func bundled(_ viewed: [ViewedEvent], in view: RoomView, by sight: Sight) async throws -> [ViewedEvent] {
        let found = try await events.aggregations(
            of: viewed.map(\.event), for: view.viewer, ignoring: view.ignored, upTo: view.end)
        guard !found.isEmpty else { return viewed }
        let bundles = try await restricted(found, by: sight)
        return viewed.map { event in
            var event = event
            event.aggregations = bundles[event.event.nid]
            return event
        }
    }
}
