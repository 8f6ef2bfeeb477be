// Each kind of call, with one thing going wrong at each byte of its requests and answers, at each connect, read and write,
// and with a cancellation between any two steps. All in simulated time. DYNCONF_TEST_STRIDE=N takes every Nth place only.

#include "simulation/exchange_run.hpp"

#include "support/catch.hpp"
#include "support/scratch_dir.hpp"

#include <cstdlib>

using namespace dynconf::simulation_test;

namespace {

std::size_t stride() {
    const char* text = std::getenv("DYNCONF_TEST_STRIDE");
    return text && *text ? std::max(1UL, std::strtoul(text, nullptr, 10)) : 1;
}

constexpr const char* name(mishap::kind k) {
    switch (k) {
    case mishap::kind::none: return "nothing";
    case mishap::kind::close: return "closed";
    case mishap::kind::reset: return "reset";
    case mishap::kind::silence: return "silent";
    case mishap::kind::delay: return "late";
    }
    return "?";
}
constexpr const char* name(mishap::place p) {
    switch (p) {
    case mishap::place::request_byte: return "request byte";
    case mishap::place::answer_byte: return "answer byte";
    case mishap::place::connect: return "connect";
    case mishap::place::read: return "read";
    case mishap::place::write: return "write";
    }
    return "?";
}

/// Plays all cases of one exchange; how many.
class rehearsal {
public:
    explicit rehearsal(const exchange& what) : what_(what) {}

    void play_all() {
        wire::counters seen;
        std::size_t steps = 0;
        {
            exchange_run plain(what_, {}, std::nullopt, scratch_.path());
            report(plain.play(), "with nothing wrong");
            seen = plain.seen();
            steps = plain.steps();
        }
        REQUIRE(failures_ == 0);
        using place = mishap::place;
        using kind = mishap::kind;
        for (const place where : {place::request_byte, place::answer_byte})
            for (const auto& [what, length] : {std::pair{kind::close, 0ms}, {kind::reset, 0ms}, {kind::silence, 0ms}, {kind::delay, 200ms}, {kind::delay, 3'000ms}})
                for (std::size_t at = 0; at < seen.of(where); at += stride()) one({what, where, at, length});
        for (const place where : {place::connect, place::read, place::write})
            for (const auto& [what, length] : {std::pair{kind::reset, 0ms}, {kind::close, 0ms}, {kind::silence, 0ms}, {kind::delay, 3'000ms}})
                for (std::size_t at = 0; at < seen.of(where); ++at) one({what, where, at, length});
        // A cancellation by itself, and one while the client gets over what went wrong.
        for (const mishap& wrong : {mishap{}, mishap{kind::reset, place::connect}, mishap{kind::close, place::request_byte},
                                    mishap{kind::reset, place::answer_byte}, mishap{kind::silence, place::answer_byte}})
            interrupt_each_step(wrong, interruption::kind::cancellation);
        // A reload, too, can find that what it reads has just been forgotten.
        if (what_.survives_compaction)
            for (const mishap& wrong : {mishap{}, mishap{kind::reset, place::answer_byte}}) interrupt_each_step(wrong, interruption::kind::compaction);
        WARN(what_.name << ": " << cases_ << " cases (" << seen.request_bytes << " bytes of requests, " << seen.answer_bytes << " of answers, "
                        << seen.connects + seen.reads + seen.writes << " steps of I/O, " << steps << " of the program)");
        CHECK(failures_ == 0);
    }

private:
    void interrupt_each_step(const mishap& wrong, interruption::kind how) {
        for (std::size_t at = 1;; ++at) {
            exchange_run r(what_, wrong, interruption{how, at}, scratch_.path());
            const auto faults = r.play();
            if (!r.interrupted()) break;   // it has fewer steps
            report(faults, std::string(how == interruption::kind::cancellation ? "cancelled" : "compacted") + " after step " + std::to_string(at) + (wrong.what == mishap::kind::none ? "" : ", " + words(wrong)));
        }
    }
    static std::string words(const mishap& wrong) {
        return std::string(name(wrong.what)) + " at " + name(wrong.where) + " " + std::to_string(wrong.at)
            + (wrong.length.count() > 0 ? " by " + std::to_string(wrong.length.count()) + " ms" : "");
    }
    void one(const mishap& wrong) {
        exchange_run r(what_, wrong, std::nullopt, scratch_.path());
        auto faults = r.play();
        if (!r.struck()) faults.push_back("it has not happened");
        report(faults, words(wrong));
    }
    void report(const std::vector<std::string>& faults, const std::string& when) {
        ++cases_;
        if (faults.empty() || ++failures_ > 10) return;
        for (const std::string& f : faults) UNSCOPED_INFO(f);
        FAIL_CHECK(what_.name << ", " << when);
    }

    const exchange& what_;
    dynconf::test::scratch_dir scratch_;
    std::size_t cases_ = 0;
    std::size_t failures_ = 0;
};

}  // namespace

TEST_CASE("every byte, every step", "[every_step]") {
    for (const exchange& each : exchanges()) {
        DYNAMIC_SECTION(each.name) { rehearsal(each).play_all(); }
    }
}
