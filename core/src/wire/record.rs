//! One macro that writes a record's struct together with its encoding: the fields in order, and nothing else.

/// Declares records: each field is encoded and decoded in the order it stands.
macro_rules! records {
    ($($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        impl $crate::jute::Encode for $name {
            fn encode(&self, out: &mut bytes::BytesMut) {
                $($crate::jute::Encode::encode(&self.$field, out);)*
            }
        }

        impl $crate::jute::Decode for $name {
            fn decode(reader: &mut $crate::jute::Reader<'_>) -> Result<Self, $crate::jute::DecodeError> {
                Ok($name { $($field: $crate::jute::Decode::decode(reader)?,)* })
            }
        }
    )*};
}
