import Platform
import Testing

/// A failure is read as sentences, each with one full stop.
struct FailureTests {
    @Test func adviceFollowsWithOneFullStop() {
        let cause = Failure(.damaged, "a block is not what it was", advice: "Repair it.")
        let told = Failure(.partial, "one file is lost", advice: "The others are whole", cause: cause)
        #expect("\(told)" == "one file is lost: a block is not what it was. Repair it. The others are whole")
        #expect("\(Failure(.failed, "it failed"))" == "it failed")
    }

    @Test(arguments: ["Nothing was changed", "Nothing was changed."]) func moreAdviceComesAfterIt(first: String) {
        let told = Failure(.full, "the disk is full", advice: first).advising("Run it again")
        #expect(told.advice == "Nothing was changed. Run it again")
        #expect(told.advising("").advice == told.advice)
        #expect(Failure(.full, "it is full").advising("Run it again.").advice == "Run it again.")
    }
}
