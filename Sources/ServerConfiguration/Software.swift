// What this program calls itself.

package enum Software {
    package static let name = "Martlet"
    package static let version = "0.1.0"
}
