// Which routes a listener serves: what each of Synapse's resource names brings with it.

import ServerConfiguration

extension Listener {
    /// The parts of the API that this listener's `resources` stand for. `client` and `federation` bring the media along, `federation` the
    /// keys; health is everywhere.
    var served: Set<ListenerResource> {
        var served: Set<ListenerResource> = [.health]
        for resource in resources { served.formUnion(Self.implied[resource] ?? []) }
        return served
    }

    private static let implied: [Resource: Set<ListenerResource>] = [
        .client: [.client, .media, .static],
        .federation: [.federation, .keys, .media, .openid],
        .media: [.media],
        .keys: [.keys],
        .metrics: [.metrics],
        .openid: [.openid],
        .static: [.static],
        .consent: [.consent],
        .health: [.health],
    ]

    /// The routes that this listener serves.
    package func select(from routes: [Route]) -> [Route] {
        let served = served
        return routes.filter { served.contains($0.resource) }
    }
}
