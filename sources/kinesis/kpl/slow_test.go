package kpl

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// aggregated is the message as its publisher describes it, for the slow but official
// reader of protobuf.
var aggregated = func() protoreflect.MessageDescriptor {
	field := func(name string, number int32, label descriptorpb.FieldDescriptorProto_Label, kind descriptorpb.FieldDescriptorProto_Type, message string) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Label: &label, Type: &kind}
		if message != "" {
			f.TypeName = &message
		}
		return f
	}
	const (
		required = descriptorpb.FieldDescriptorProto_LABEL_REQUIRED
		optional = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
		repeated = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
		// Texts are read as bytes: the second version of protobuf does not check them.
		bytes   = descriptorpb.FieldDescriptorProto_TYPE_BYTES
		number  = descriptorpb.FieldDescriptorProto_TYPE_UINT64
		message = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	)
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("kpl.proto"), Syntax: proto.String("proto2"),
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: proto.String("AggregatedRecord"), Field: []*descriptorpb.FieldDescriptorProto{
				field("partition_key_table", 1, repeated, bytes, ""), field("explicit_hash_key_table", 2, repeated, bytes, ""),
				field("records", 3, repeated, message, ".Record"),
			}},
			{Name: proto.String("Record"), Field: []*descriptorpb.FieldDescriptorProto{
				field("partition_key_index", 1, required, number, ""), field("explicit_hash_key_index", 2, optional, number, ""),
				field("data", 3, required, bytes, ""),
			}},
		},
	}, nil)
	if err != nil {
		panic(err)
	}
	return file.Messages().ByName("AggregatedRecord")
}()

type indexError struct{}

func (indexError) Error() string { return "an index behind its table" }

// slow reads a message by protobuf's own module.
func slow(m []byte) (records []fixture, err error) {
	a := dynamicpb.NewMessage(aggregated)
	if err := proto.Unmarshal(m, a); err != nil {
		return nil, err
	}
	fields := aggregated.Fields()
	keys, hashKeys, users := a.Get(fields.ByNumber(1)).List(), a.Get(fields.ByNumber(2)).List(), a.Get(fields.ByNumber(3)).List()
	for i := range users.Len() {
		user := users.Get(i).Message()
		of := user.Descriptor().Fields()
		key := user.Get(of.ByNumber(1)).Uint()
		if key >= uint64(keys.Len()) {
			return nil, indexError{}
		}
		f := fixture{PartitionKey: string(keys.Get(int(key)).Bytes()), Data: user.Get(of.ByNumber(3)).Bytes()}
		if user.Has(of.ByNumber(2)) {
			hashKey := user.Get(of.ByNumber(2)).Uint()
			if hashKey >= uint64(hashKeys.Len()) {
				return nil, indexError{}
			}
			f.ExplicitHashKey = string(hashKeys.Get(int(hashKey)).Bytes())
		}
		records = append(records, f)
	}
	return records, nil
}
