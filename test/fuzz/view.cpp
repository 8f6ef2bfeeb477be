#include "fuzz/target.hpp"

#include "policy/key_space.hpp"
#include "wire/decoder.hpp"

using namespace dynconf;
using fuzz::promise;

// A prefix of which nothing asked for and nothing answered leads out.
FUZZ_TARGET(view) {
    const std::string prefix(in.line());
    const policy::key_space space(prefix);
    const std::string first(in.line()), last(in.line()), key(in.line());
    const std::string_view answer = in.rest();

    promise(key_range::interval(first, last).contains(key) == (first <= key && key < last), "an interval is another one");
    const key_range whole = key_range::prefix(prefix);
    for (const key_range& asked : {key_range::interval(first, last), key_range::key(first), key_range::prefix(first), key_range::from(first), key_range::all()}) {
        const key_range sent = space.to_etcd(asked);
        const std::string named = space.to_etcd(key);
        if (!named.empty() && !prefix.empty()) promise(sent.contains(named) == asked.contains(key), "a view asks for other keys than it names");
        // `key` may be anything, and so any key of etcd.
        if (!prefix.empty() && sent.contains(key)) promise(whole.contains(key), "a view leads out of its prefix");
    }

    wire::decoder<range_response> decoder;
    decoder.write(answer);
    if (auto r = decoder.finish()) {
        const range_response before = *r;
        space.from_etcd(*r);
        promise(r->kvs.size() <= before.kvs.size(), "keys out of nothing");
        auto at = before.kvs.begin();
        for (const key_value& kv : r->kvs) {
            at = std::find_if(at, before.kvs.end(), [&](const key_value& b) { return b.key == prefix + kv.key && b.value == kv.value; });
            promise(at++ != before.kvs.end(), "a key that was not answered");
        }
    }
}
