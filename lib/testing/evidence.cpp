#include "testing/evidence.hpp"

#include "wire/overloaded.hpp"

#include <variant>

namespace dynconf::testing {

evidence::evidence(const history& h, bool observers) : first_(h.start.revision), last_(h.start.revision) {
    for (const operation& o : h.operations)
        if (o.state == write_state::executed && o.answer) answered(*o.answer);
    if (h.end) {
        reaches(h.end->revision);
        for (const key_value& kv : h.end->kvs) add(kv);
    }
    if (observers)
        for (const observer& o : h.observers) seen(o);
}

const evidence::changes* evidence::of(revision_t r) const {
    const auto found = all_.find(r);
    return found == all_.end() ? nullptr : &found->second;
}

void evidence::answered(const op_response& answer) {
    std::visit(wire::overloaded{
        [&](const range_response& a) {
            for (const key_value& kv : a.kvs) add(kv);
        },
        [&](const put_response& a) {
            if (a.prev_kv) add(*a.prev_kv);
        },
        [&](const delete_response& a) {
            for (const key_value& kv : a.prev_kvs) add(kv);
        },
        [&](const txn_response& a) {
            for (const op_response& r : a.responses) answered(r);
        },
    }, static_cast<const op_response::variant&>(answer));
    std::visit([&](const auto& a) { reaches(a.header.revision); }, static_cast<const op_response::variant&>(answer));
}

void evidence::seen(const observer& o) {
    for (const sight& s : o.seen) {
        for (const event& e : s.events) add(e);
        for (const key_value& kv : s.content) add(kv);
        if (s.what != sight::kind::started) reaches(s.revision);
    }
}

void evidence::add(const key_value& kv) {
    event e;
    e.kv = kv;
    add(e);
}

void evidence::add(const event& e) {
    if (e.prev_kv) add(*e.prev_kv);
    const revision_t r = e.kv.mod_revision;
    if (r <= first_) return;
    reaches(r);
    all_[r].emplace(e.kv.key, e);
}

}  // namespace dynconf::testing
