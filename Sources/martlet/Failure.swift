// How a command ends that cannot do what it was asked.

import ArgumentParser
import CShims
import Glibc

/// Prints to standard error.
func complain(_ message: String) {
    let bytes = Array((message + "\n").utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}

/// Prints why, and makes the program end with status 1.
func failure(_ message: String) -> ExitCode {
    complain("martlet: \(message)")
    return .failure
}

/// Prints a line to standard output at once, also when that is a pipe.
func say(_ message: String) {
    print(message)
    martlet_flush_output()
}
