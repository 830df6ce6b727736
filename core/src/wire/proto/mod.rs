//! Records of the client port, one file per family of operations (protocol §1.1, §2).

mod acl;
mod children;
mod connect;
mod create;
mod data;
mod header;
mod multi;
mod reconfig;
mod watch;

pub use acl::{AuthPacket, ClientInfo, GetAclResponse, SaslToken, SetAclRequest, WhoAmIResponse};
pub use children::{
    GetAllChildrenNumberResponse, GetChildren2Response, GetChildrenResponse, GetEphemeralsRequest,
    GetEphemeralsResponse,
};
pub use connect::{ConnectRequest, ConnectResponse, PASSWORD_LENGTH};
pub use create::{Create2Response, CreateRequest, CreateTtlRequest};
pub use data::{GetDataResponse, PathOnly, PathRequest, PathVersion, SetDataRequest, StatResponse};
pub use header::{ReplyHeader, RequestHeader, xid};
pub use multi::{MultiHeader, MultiOp, MultiRequest, MultiResponse, MultiResult};
pub use reconfig::ReconfigRequest;
pub use watch::{AddWatchRequest, ErrorResponse, SetWatches, SetWatches2, WatcherEvent, WatchesRequest};
