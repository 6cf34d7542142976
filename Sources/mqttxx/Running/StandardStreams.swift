import Foundation

/// The descriptors 0, 1 and 2.
enum StandardStreams {
    /// Takes those that were closed when the process began: the next socket would get such a number otherwise, and what is
    /// printed would go to the broker. Using them stays the error that it was.
    static func occupy() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest number that is free is the one given.
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }
}
