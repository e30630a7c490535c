// Which endpoints a listener serves.

import MatrixAPI
import ServerConfiguration
import Testing

@Suite struct ListenerResourceTests {
    private func serves(_ resources: Set<Listener.Resource>, _ target: String) -> Bool {
        var listener = Listener(.tcp(addresses: [], port: 1))
        listener.resources = resources
        if case .found = Router(listener.select(from: Routes.all)).match(.get, target) { return true }
        return false
    }

    @Test("each resource brings its own endpoints, and health is everywhere")
    func resources() {
        for resources: Set<Listener.Resource> in [[.client], [.federation], [.metrics], []] { #expect(serves(resources, "/health")) }
        let versions = "/_matrix/client/versions", keys = "/_matrix/key/v2/server", version = "/_matrix/federation/v1/version"
        #expect(serves([.client], versions) && !serves([.client], keys) && !serves([.client], version) && serves([.client], "/"))
        #expect(!serves([.federation], versions) && serves([.federation], keys) && serves([.federation], version))
        #expect(serves([.keys], keys) && !serves([.keys], version) && !serves([.metrics], versions))
        #expect(serves([.client], "/_synapse/admin/v1/register") && !serves([.federation], "/_synapse/admin/v1/register"))
    }
}
