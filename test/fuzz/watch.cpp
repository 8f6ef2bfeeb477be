#include "fuzz/target.hpp"

#include "policy/watch_cursor.hpp"
#include "wire/decoder.hpp"
#include "wire/overloaded.hpp"

using namespace dynconf;
using fuzz::promise;

// The lines of a watch, whatever a server makes of them: whole revisions come out, in order, each once.
FUZZ_TARGET(watch) {
    policy::watch_cursor cursor(in.byte());
    wire::decoder<wire::watch_response> decoder(wire::decoder<wire::watch_response>::envelope::result);
    revision_t delivered = cursor.next_revision() - 1;
    while (!in.empty()) {
        decoder.write(in.line());
        auto message = decoder.finish();
        if (!message) continue;
        const revision_t before = cursor.next_revision();
        const auto step = cursor.on(std::move(*message));
        promise(before == 0 || cursor.next_revision() >= before, "a watch goes back");
        std::visit(wire::overloaded{
                       [&](const policy::watch_cursor::apply& a) {
                           promise(!a.events.empty(), "a batch of nothing");
                           for (const event& e : a.events) {
                               promise(e.kv.mod_revision >= before, "a change is delivered twice");
                               promise(e.kv.mod_revision <= a.revision, "a change of a later revision than the batch");
                           }
                           promise(a.events.back().kv.mod_revision == a.revision, "a batch of another revision");
                           promise(a.revision > delivered || delivered <= 0, "batches are not in order");
                           promise(cursor.next_revision() > a.revision, "a delivered revision would come again");
                           delivered = a.revision;
                       },
                       [](const policy::watch_cursor::broken& b) { promise(b.why.code.failed() && !b.why.message().empty(), "ended without a cause"); },
                       [](const auto&) {},
                   },
                   step);
    }
}
