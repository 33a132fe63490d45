package policy
import ("testing";"time";"strings")
func TestProbe(t *testing.T){
 for _,e:=range []string{"1e-999999999","99e99999999", "1e9999","1e-9999", "1e300"} {
  s:=time.Now()
  p,d:=Parse([]Source{{"p.hcl",[]byte("site \"a\" {\n upstream=\"127.0.0.1:1\"\n port="+e+"\n}\n")}})
  t.Logf("%s %v %v %d",e,time.Since(s),p,d.Len())
  if d.Len()>0 { t.Logf("%q",strings.ReplaceAll(d.Entries()[0].Detail[:min(100,len(d.Entries()[0].Detail))],"\n"," ")) }
  s=time.Now()
  p,d=Parse([]Source{{"p.hcl.json",[]byte(`{"docker":{"settings":{"mtu":`+e+`}}}`)}})
  t.Logf("json %s %v %d",e,time.Since(s),d.Len())
  if d.Len()>0 { t.Logf("%q",d.Entries()[0].Detail) } else {t.Logf("%.100s",p.Docker.Settings.V[0].Value)}
 }
}
