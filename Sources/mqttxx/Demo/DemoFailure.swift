/// Something that the demo wanted to show did not happen.
struct DemoFailure: Error {
    let message: String
    let status: Int32 = 1
}
