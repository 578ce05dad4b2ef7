package decode

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

func maskOf(t *testing.T, paths ...string) *Mask {
	t.Helper()
	m := &Mask{}
	for _, s := range paths {
		p, err := ParsePath(s)
		if err != nil {
			t.Fatal(err)
		}
		m.Add(p)
	}
	return m
}

func TestMask(t *testing.T) {
	m := maskOf(t, "email", "address.street", "contacts[0].phone", "tags[0]", "sk")
	m.Add(Path{{Name: "m"}, {IsIndex: true, Every: true}, {Name: "pin"}})
	for _, c := range []struct {
		name        string
		encoding    pipeline.Encoding
		shown, real string
	}{
		{"plain", pipeline.JSON,
			`{"id":1.50,"email":"***","address":{"street":"***","city":"Rome"},"contacts":[{"phone":"***","kind":"home"},{"phone":"***"}],"tags":["***","***"]}`,
			` {"id": 1.50, "email": {"any": "thing"}, "address": {"street": "Via A", "city": "Rome"}, "contacts": [{"phone": 1, "kind": "home"}, {"phone": 2}], "tags": ["a", "b"]}`},
		{"change", pipeline.DynamoDBCDC,
			`{"eventName":"MODIFY","dynamodb":{"Keys":{"pk":{"S":"a"},"sk":{"S":"***"}},"NewImage":{"email":{"S":"***"},"address":{"M":{"street":{"S":"***"},"city":{"S":"Rome"}}}},` +
				`"OldImage":{"contacts":{"L":[{"M":{"phone":{"N":"***"}}}]},"tags":{"SS":["***","***"]},"n":{"N":"1"}}}}`,
			`{"eventName": "MODIFY", "dynamodb": {"Keys": {"pk": {"S":"a"}, "sk": {"S":"TX#1"}}, "NewImage": {"email": {"S":"a@b"}, "address": {"M": {"street": {"S":"Via A"}, "city": {"S":"Rome"}}}},
				"OldImage": {"contacts": {"L": [{"M": {"phone": {"N":"1"}}}]}, "tags": {"SS": ["a","b"]}, "n": {"N":"1"}}}}`},
		{"export", pipeline.DynamoDBExport, `{"Item":{"email":{"M":"***"},"n":{"N":"1"}}}`, `{"Item": {"email": {"M": {"x": {"S": "a"}}}, "n": {"N":"1"}}}`},
		{"printed by an SDK", pipeline.DynamoDBCDC,
			`{"EventName":"MODIFY","Dynamodb":{"keys":{"sk":{"s":"***","n":"***"}},"newImage":{"address":{"m":{"street":{"S":"***"}},"s":null},"contacts":{"l":[{"M":{"phone":{"n":"***"}}}]}}}}`,
			`{"EventName": "MODIFY", "Dynamodb": {"keys": {"sk": {"s":"TX#1","n":null}}, "newImage": {"address": {"m": {"street": {"S":"Via A"}}, "s":null}, "contacts": {"l": [{"M": {"phone": {"n":"1"}}}]}}}}`},
		{"requests", pipeline.DynamoDBExport, `{"tableName":"t","PutRequest":{"Item":{"email":{"S":"***"}}},"DeleteRequest":{"Key":{"sk":{"S":"***"}}}}`,
			`{"tableName": "t", "PutRequest": {"Item": {"email": {"S": "a@b"}}}, "DeleteRequest": {"Key": {"sk": {"S": "x"}}}}`},
		{"records in base64", pipeline.DynamoDBCDC, `{"kinesis":"***","data":"***","Data":null}`, `{"kinesis": {"data": "e30="}, "data": "e30=", "Data": null}`},
		{"names with escapes", pipeline.JSON, `{"email":"***","a\"b":1}`, `{"\u0065mail": "x", "a\"b": 1}`},
		{"what is of another shape has nothing to hide", pipeline.JSON, `{"address":"Rome","contacts":{"phone":1},"tags":null}`, `{"address": "Rome", "contacts": {"phone": 1}, "tags": null}`},
		{"maps of elements", pipeline.JSON, `{"m":{"a":{"pin":"***","n":1},"b":{"pin":"***"}}}`, `{"m": {"a": {"pin": 1, "n": 1}, "b": {"pin": [2]}}}`},
		{"lists of elements", pipeline.DynamoDBExport, `{"Item":{"m":{"L":[{"M":{"pin":{"S":"***"}}}]}}}`, `{"Item": {"m": {"L": [{"M": {"pin": {"S": "1"}}}]}}}`},
		{"broken", pipeline.JSON, NotShown, `{"email": "a@b"`},
	} {
		if got := string(m.Record(&pipeline.Format{Encoding: c.encoding}, []byte(c.real))); got != c.shown {
			t.Errorf("%s: shown as\n%s, want\n%s", c.name, got, c.shown)
		}
	}
	if got := string((&Mask{}).Record(&pipeline.Format{Encoding: pipeline.JSON}, []byte("{"))); got != "{" {
		t.Errorf("without a mask, %s is shown", got)
	}
	if got := string(m.Key([]byte(`{"pk":"a","sk":"TX#1"}`))); got != `{"pk":"a","sk":"***"}` {
		t.Errorf("the key is shown as %s", got)
	}
	for path, want := range map[string]bool{"email": true, "email.x": true, "address": true, "address.city": false, "contacts[7].phone": true, "other": false, "tags[1].x": true, "contacts.phone": false, "m.x.pin": true, "m[1].pin.y": true, "m.x.n": false} {
		p, err := ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		if m.Hides(p) != want {
			t.Errorf("%s is hidden: %v", path, !want)
		}
	}
}

// A mask of everything hides the image, and what is in it.
func TestMaskOfAll(t *testing.T) {
	m := &Mask{}
	if m.Hides(nil) {
		t.Error("nothing is hidden, and the item is")
	}
	m.Add(nil)
	for encoding, c := range map[pipeline.Encoding][2]string{
		pipeline.DynamoDBExport: {`{"Item": {"a": {"S": "1"}, "b": {"L": [{"N": "1"}]}}}`, `{"Item":{"a":{"S":"***"},"b":{"L":"***"}}}`},
		pipeline.JSON:           {`{"a": 1}`, `"***"`},
	} {
		if got := string(m.Record(&pipeline.Format{Encoding: encoding}, []byte(c[0]))); got != c[1] {
			t.Errorf("%s is shown as %s, want %s", c[0], got, c[1])
		}
	}
	if !m.Hides(nil) || !m.Hides(Path{{Name: "a"}}) {
		t.Error("something is not hidden")
	}
}

// TestMaskHidesAll: whatever the document, a hidden value is not in what is
// shown, which is JSON and has everything else.
func TestMaskHidesAll(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		secret := "s3cret"
		var draw func(depth int, path Path) any
		var secrets []Path
		draw = func(depth int, path Path) any {
			kind := rapid.IntRange(0, 4).Draw(rt, "kind")
			if depth == 0 {
				kind %= 3
			}
			switch kind {
			case 0:
				return rapid.SampledFrom([]any{1.5, "plain", nil, true}).Draw(rt, "value")
			case 1, 2:
				if len(path) == 0 {
					return map[string]any{}
				}
				secrets = append(secrets, path)
				return secret
			case 3:
				all := []any{}
				for range rapid.IntRange(0, 3).Draw(rt, "elements") {
					all = append(all, draw(depth-1, append(append(Path{}, path...), PathElement{IsIndex: true})))
				}
				return all
			}
			all := map[string]any{}
			for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", `c"d`, "é"}), 0, 3, rapid.ID).Draw(rt, "names") {
				all[name] = draw(depth-1, append(append(Path{}, path...), PathElement{Name: name}))
			}
			return all
		}
		item := map[string]any{"x": draw(3, Path{{Name: "x"}}), "kept": "plain"}
		raw, err := json.Marshal(item)
		if err != nil {
			rt.Fatal(err)
		}
		m := &Mask{}
		for _, p := range secrets {
			m.Add(p)
		}
		var shown map[string]any
		got := m.Record(&pipeline.Format{Encoding: pipeline.JSON}, raw)
		if err := json.Unmarshal(got, &shown); err != nil || shown["kept"] != "plain" {
			rt.Fatalf("%s is shown as %s: %v", raw, got, err)
		}
		if json.Valid(got) && containsText(shown, secret) {
			rt.Fatalf("%s is shown as %s", raw, got)
		}
	})
}

func containsText(v any, text string) bool {
	switch v := v.(type) {
	case string:
		return v == text
	case []any:
		for _, e := range v {
			if containsText(e, text) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if containsText(e, text) {
				return true
			}
		}
	}
	return false
}
