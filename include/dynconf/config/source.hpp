#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/types.hpp>

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <vector>

namespace dynconf {

/// Where a manager gets its content from. Implement it to feed a manager in tests, or from elsewhere than etcd.
/// Called by one manager, one call at a time, on the manager's strand.
class DYNCONF_API source {
public:
    virtual ~source();

    /// Before the first next(), and again for each start().
    /// `known`, which need not outlive the call, is content that the manager has already; a source that cannot go on from
    /// there may pass it over and begin with a snapshot.
    virtual void open(std::vector<key_range> ranges, const known_content* known) = 0;

    /// The next step, as `mirror::next()` gives them: a snapshot first, then updates and resyncs, with connected and
    /// interrupted in between. After an interruption the next call tries again, once its pause is over. Ends by an
    /// exception only when cancelled (terminal).
    virtual boost::asio::awaitable<mirror_step> next() = 0;

    /// The ranges by their whole names: a copy on disk is of them, and used for no others. Default: as they are. For
    /// a source that shows a part of something under names of its own, as that of a view does (client::within).
    virtual std::vector<key_range> absolute(std::vector<key_range> ranges) const;

    /// After the last next(): nothing needs to be kept open. Default: nothing to do.
    virtual void close() noexcept;
};

/// etcd itself, or a view of it: then the schema's keys are those of the view.
DYNCONF_API std::shared_ptr<source> etcd_source(client c);

}  // namespace dynconf
